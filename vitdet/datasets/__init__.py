"""Reading, checking and converting data."""
