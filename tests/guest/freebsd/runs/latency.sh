# SPDX-License-Identifier: BSD-2-Clause
# How long jobs of a small client take while other clients load the driver: vmtest.submits=N jobs
# per measurement, medians of vmtest.rounds=N measurements.
. /vmtest/vm.sh

load
run latency 0 native_drm latency "$(argument submits)" "$(argument rounds)"
unload
exit "$status"
