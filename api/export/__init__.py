"""Results as files: report, charts, CSV, JSON and XLSX."""
