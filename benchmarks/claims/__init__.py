"""The statements of `bandit_claims.py`, one in a file; rows say what was expected."""
