"""What preference and interest bring together on a simulated short-video platform whose truth is known."""
