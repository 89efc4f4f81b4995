"""A tear sheet as one HTML page, and as JSON, CSV or a workbook."""
