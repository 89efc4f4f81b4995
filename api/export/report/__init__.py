"""The report of a result as one HTML page: its template, charts and style."""
