"""Every figure of the book: functions that take results by model and return one figure."""
