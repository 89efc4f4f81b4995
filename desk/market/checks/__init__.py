"""Quality checks of prices and imports; not the parsing of files."""
