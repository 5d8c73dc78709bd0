// Browsers do not let a page from a folder read others: the search shows titles there, without excerpts.
if (location.protocol === "file:") { DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false; }
