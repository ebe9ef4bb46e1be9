# SPDX-License-Identifier: BSD-2-Clause
# How long jobs of a small client take beside neighbours: vmtest.submits=N of them, medians of
# vmtest.rounds=N.
. /vmtest/vm.sh

load
run latency 0 native_drm latency "$(argument submits)" "$(argument rounds)"
unload
exit "$status"
