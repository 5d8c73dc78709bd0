"""The check of a submission: a folder that adds a row to the published boards, see docs/submissions.md."""
