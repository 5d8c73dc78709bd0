"""How records and boards are shown: terminal, Markdown, CSV, JSON, pictures and the page."""
