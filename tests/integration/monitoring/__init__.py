"""What an operator watches with, tried with the real programs."""
