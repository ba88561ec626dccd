"""The RabbitMQ broker. pika is imported below this package and nowhere else."""

from warrener.brokers.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitBroker"]
