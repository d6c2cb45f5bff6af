"""What users hand over, read within bounds into typed values: nothing is guessed, nothing runs."""
