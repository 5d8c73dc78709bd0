"""The charts of the page, declared in Altair and compiled to Vega when the page is written."""
