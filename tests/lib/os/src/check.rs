// SPDX-License-Identifier: BSD-2-Clause
//! Compile-time check: each function has exactly the type that the header declares.
//!
//! The `exports` modules hold these functions. They rely on what the header requires of their
//! arguments: handles were returned by this crate and are not destroyed, and pointers are valid for
//! what they point to.

use crate::sys;

/// An array has one element type, so both must be the same function pointer.
macro_rules! same_types {
    ($($module:ident: $($f:ident)*;)*) => {
        $($(const _: () = {
            let _ = [sys::$f, crate::$module::exports::$f];
        };)*)*
    };
}

same_types! {
    attach:
        drm_os_dev_peer;
    caller:
        drm_os_copyin drm_os_copyout drm_os_caller_pid drm_os_caller_uid drm_os_caller_comm
        drm_os_caller_privileged drm_os_caller_interrupted;
    clock:
        drm_os_now drm_os_timer_hz drm_os_delay drm_os_sleep;
    cred:
        drm_os_cred_hold drm_os_cred_free drm_os_cred_charge drm_os_cred_uncharge;
    cv:
        drm_os_cv_create drm_os_cv_destroy drm_os_cv_wait drm_os_cv_broadcast;
    device:
        drm_os_dev_os drm_os_dev_name drm_os_dev_coherent drm_os_dev_dma_bits;
    file:
        drm_os_file_create drm_os_file_install drm_os_file_discard drm_os_file_wake drm_os_file_get
        drm_os_file_put drm_os_minor_register drm_os_minor_unregister;
    irq:
        drm_os_irq_setup drm_os_irq_teardown drm_os_irq_sync;
    locks:
        drm_os_mtx_create drm_os_mtx_destroy drm_os_mtx_lock drm_os_mtx_unlock drm_os_pool_get
        drm_os_sx_create
        drm_os_sx_destroy drm_os_sx_lock drm_os_sx_try drm_os_sx_unlock;
    log:
        drm_os_log drm_os_panic;
    malloc:
        drm_os_malloc drm_os_free;
    memory:
        drm_os_page_alloc drm_os_page_free drm_os_page_kva drm_os_page_sync;
    mmio:
        drm_os_mmio_map drm_os_mmio_unmap drm_os_mmio_read4 drm_os_mmio_write4;
    object:
        drm_os_object_create drm_os_object_ref drm_os_object_unref drm_os_object_wire
        drm_os_object_purge drm_os_object_resident drm_os_object_kmap drm_os_object_kunmap
        drm_os_object_sync;
    power:
        drm_os_clk_get drm_os_clk_put drm_os_clk_enable drm_os_clk_disable drm_os_clk_rate
        drm_os_regulator_get drm_os_regulator_put drm_os_regulator_enable drm_os_regulator_disable
        drm_os_reset_get drm_os_reset_put drm_os_reset_assert drm_os_reset_deassert drm_os_power_on
        drm_os_power_off;
    run:
        drm_os_run_alloc drm_os_run_free drm_os_run_sync;
    task:
        drm_os_taskqueue_create drm_os_taskqueue_destroy drm_os_task_create drm_os_task_destroy
        drm_os_task_enqueue drm_os_task_enqueue_at drm_os_task_cancel drm_os_task_drain;
    user:
        drm_os_object_create_user;
    world:
        drm_os_physmem drm_os_unique drm_os_tunable;
}
