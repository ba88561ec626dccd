"""The page and its API: one server that reads a broker's queues for all browsers that look, and acts where that is allowed."""
