"""The parser of messages: words, numbers and names become the arguments of the tools, or readings that are offered."""
