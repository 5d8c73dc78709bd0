"""What stored records say: statistics over seeds, the leaderboard, comparisons with the published figures."""
