"""Evaluation: metrics, scoring of verdict tables, the HTML report, copy detection of image encoders."""
