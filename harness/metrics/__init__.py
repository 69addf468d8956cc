"""What results are worth: rankings by the revisited protocol, classifiers by accuracy. Only numpy."""
