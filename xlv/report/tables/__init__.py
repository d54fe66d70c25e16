"""The numbers behind every figure: functions that take results and return what is drawn or quoted."""
