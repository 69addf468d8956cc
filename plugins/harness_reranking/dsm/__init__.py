"""Deep spatial matching: detect local features in feature maps, match them by geometry, re-rank by inliers."""
