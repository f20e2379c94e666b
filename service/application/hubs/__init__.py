"""What a scan station at a hub is told: parcels by what was scanned, and those that wait."""
