"""Figures for print, drawn in seaborn from records and from what a training was seen to do: SVG and PDF, data as CSV.

Each module makes tidy data and draws them; what is drawn is what the CSV holds. seaborn is loaded here only.
"""
