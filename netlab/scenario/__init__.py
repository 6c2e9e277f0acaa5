"""Labs as files: schema, steps, checks, runner, reports."""
