"""A running lab: puts the parts together, and takes it all down again."""
