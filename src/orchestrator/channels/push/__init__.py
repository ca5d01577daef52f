"""Push notifications: Firebase (FCM), Apple (APNs), browsers (Web Push), and customers who have several of them.

Owns what the three share. Must never keep a token or a key longer than its channel lives.
"""
