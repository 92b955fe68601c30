#pragma once

/// Starts or stops counting the heap allocations of the calling thread.
void allocation_counter_start(void);

/// Stops counting; returns how many allocations the calling thread made since the start.
long allocation_counter_stop(void);
