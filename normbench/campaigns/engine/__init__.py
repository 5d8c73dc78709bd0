"""The engine of campaigns: jobs, the queue they wait in, and workers of dask.distributed, here or on other machines."""
