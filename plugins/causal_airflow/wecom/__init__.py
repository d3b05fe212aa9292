"""Messages to a WeCom group robot: sent at most once, with the key kept secret."""
