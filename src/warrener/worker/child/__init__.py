"""The process that imports the app, and the children it forks, which run the handlers."""
