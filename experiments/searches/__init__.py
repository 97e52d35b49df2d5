"""Looking for a policy's best parameters, with fewer cells than a sweep of all of them."""
