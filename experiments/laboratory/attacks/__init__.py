"""What clouds could make of what they were sent: attackers, metrics and their statistics.

Nothing here knows how a transcript was recorded: attackers take `views.Views`, metrics pictures.
"""
