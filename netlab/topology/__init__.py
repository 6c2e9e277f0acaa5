"""A lab's wiring as values: which netns, links, addresses and routes there are, and what they are called."""
