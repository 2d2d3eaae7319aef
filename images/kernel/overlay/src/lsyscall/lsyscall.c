/* SPDX-License-Identifier: GPL-2.0-only */

#include <config.h>
#include <types.h>
#include <api/failures.h>
#include <api/faults.h>
#include <api/syscall.h>
#include <kernel/cspace.h>
#include <kernel/faulthandler.h>
#include <kernel/thread.h>
#include <object/endpoint.h>
#include <fastpath/faults.h>
#include <lsyscall/lsyscall.h>
#include <lsyscall/routes.h>

/* Sends current_fault of a thread to the endpoint capability at `route` in the thread's CSpace.
 * False, and nothing done, if there is no such capability with the rights to send and grant. */
static bool_t sendToRoute(tcb_t *thread, cptr_t route)
{
    lookupCap_ret_t lu_ret = lookupCap(thread, route);

    if (lu_ret.status != EXCEPTION_NONE ||
            cap_get_capType(lu_ret.cap) != cap_endpoint_cap ||
            !cap_endpoint_cap_get_capCanSend(lu_ret.cap) ||
            !cap_endpoint_cap_get_capCanGrant(lu_ret.cap)) {
        return false;
    }

    thread->tcbFault = current_fault;
    sendIPC(true, false, cap_endpoint_cap_get_capEPBadge(lu_ret.cap), true, thread,
            EP_PTR(cap_endpoint_cap_get_capEPPtr(lu_ret.cap)));
    return true;
}

#ifdef CONFIG_FASTPATH
/* Delivers the current thread's system call to a waiting server; returns if the slow path has to. */
static inline void FORCE_INLINE fastForeignSyscall(cptr_t cptr)
{
    tcb_t *thread = NODE_STATE(ksCurThread);
    fault_receiver_t receiver;
    word_t *buffer;

    if (unlikely(!findFaultReceiver(cptr, &receiver))) {
        return;
    }
    buffer = lookupIPCBuffer(true, receiver.thread);
    if (unlikely(!buffer)) {
        return;
    }
    thread->tcbFault = seL4_Fault_UnknownSyscall_new(getRegister(thread, X7));
    setRegister(receiver.thread, msgRegisters[seL4_UnknownSyscall_X0], getRegister(thread, X0));
    setRegister(receiver.thread, msgRegisters[seL4_UnknownSyscall_X1], getRegister(thread, X1));
    setRegister(receiver.thread, msgRegisters[seL4_UnknownSyscall_X2], getRegister(thread, X2));
    setRegister(receiver.thread, msgRegisters[seL4_UnknownSyscall_X3], getRegister(thread, X3));
    /* The first word of the buffer is the tag. */
    buffer[1 + seL4_UnknownSyscall_X4] = getRegister(thread, X4);
    buffer[1 + seL4_UnknownSyscall_X5] = getRegister(thread, X5);
    buffer[1 + seL4_UnknownSyscall_X6] = getRegister(thread, X6);
    buffer[1 + seL4_UnknownSyscall_X7] = getRegister(thread, X7);
    buffer[1 + seL4_UnknownSyscall_FaultIP] = getRegister(thread, FaultInstruction);
    buffer[1 + seL4_UnknownSyscall_SP] = getRegister(thread, SP_EL0);
    buffer[1 + seL4_UnknownSyscall_X8] = getRegister(thread, X8);
    buffer[1 + seL4_UnknownSyscall_SPSR] = getRegister(thread, SPSR_EL1);
    buffer[1 + seL4_UnknownSyscall_Syscall] = getRegister(thread, X7);
    enterFaultReceiver(&receiver, seL4_Fault_UnknownSyscall, n_syscallMessage + 1);
}
#endif /* CONFIG_FASTPATH */

void handleForeignSyscall(void)
{
    tcb_t *thread = NODE_STATE(ksCurThread);
    word_t number = getRegister(thread, X8);
    cptr_t route = 0;

    /* The thread goes on behind its svc: a reply then needs to carry the result alone. */
    setRegister(thread, FaultInstruction, getRegister(thread, ELR_EL1));

    if (number < LSYSCALL_ROUTES) {
        route = lsyscall_routes[number];
    }
#ifdef CONFIG_FASTPATH
    fastForeignSyscall(route ? route : thread->tcbFaultHandler);
#endif

    current_fault = seL4_Fault_UnknownSyscall_new(getRegister(thread, X7));
    if (route == 0 || !sendToRoute(thread, route)) {
        /* A failed lookup leaves current_fault alone. */
        handleFault(thread);
    }

    schedule();
    activateThread();
}
