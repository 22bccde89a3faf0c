"""What of ctpbee the gateway and the strategies both use: entities, fields, positions, the logger.
Gateway and strategy processes."""
