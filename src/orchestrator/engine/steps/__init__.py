"""What each verb of the language does when an entry comes to it.

Owns one handler a verb. A handler moves nothing itself: it says where to go, and `walking` goes there.
"""
