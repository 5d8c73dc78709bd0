"""Every picture, drawn once in Altair: compiled to Vega for the page, and to SVG and PDF for print.

A chart is made of the same layers in both; on the page its colours follow the page and its rows the controls, in print
the colours are the page's light ones and a sheet adds title, caption and key.
"""
