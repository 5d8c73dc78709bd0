"""What stored records say: statistics over seeds, ranking, boards, comparisons. Numbers in, numbers out."""
