"""A turn of a chat: context of its tools, evidence, reply, and the typed wishes that a person's words become."""
