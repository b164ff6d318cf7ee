"""Jifendai decides innovation-points loans (创新积分贷) on the bank's side; docs and README.md draw the house."""
