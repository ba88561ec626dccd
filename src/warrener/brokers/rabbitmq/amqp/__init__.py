"""AMQP 0-9-1 as the rest of the broker uses it: connections, channels and messages, with errors that are ours.

pika is imported in here and nowhere else; its private parts are used in `frames` and nowhere else.
"""
