"""What Gainstage costs and how often it is right, for anyone to measure on their own machine."""
