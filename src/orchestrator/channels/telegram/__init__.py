"""Telegram: what our bot says.

Owns nothing of its own. Must never receive: what customers write to the bot is read elsewhere.
"""
