"""What must survive: records, events and blobs."""
