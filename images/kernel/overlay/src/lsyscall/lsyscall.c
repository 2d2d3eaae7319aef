/* SPDX-License-Identifier: GPL-2.0-only */

#include <config.h>
#include <types.h>
#include <api/failures.h>
#include <api/syscall.h>
#include <kernel/cspace.h>
#include <kernel/faulthandler.h>
#include <kernel/thread.h>
#include <object/endpoint.h>
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

    current_fault = seL4_Fault_UnknownSyscall_new(getRegister(thread, X7));
    if (route == 0 || !sendToRoute(thread, route)) {
        /* A failed lookup leaves current_fault alone. */
        handleFault(thread);
    }

    schedule();
    activateThread();
}
