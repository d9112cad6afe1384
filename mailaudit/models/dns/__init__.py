"""What DNS says of the site: asked for in waves through the sources, judged as there, not there, or not to be told."""
