/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Faults on the fast path: the message of a fault goes to a waiting handler, and its answer back,
 * as fast as a call. Each function either does all of it or leaves everything as it was, for the
 * slow path.
 */

#ifndef __FASTPATH_FAULTS_H
#define __FASTPATH_FAULTS_H

#include <config.h>
#include <types.h>
#include <api/faults.h>
#include <fastpath/fastpath.h>
#include <fastpath/ready.h>
#include <usage/usage.h>

/* Who gets a fault, and through what. */
typedef struct fault_receiver {
    tcb_t *thread;
    endpoint_t *endpoint;
    word_t badge;
    cap_t vtable;
} fault_receiver_t;

/* Finds the thread that waits for the faults of the current one at the endpoint capability at
 * `cptr`. False if there is none, or if it could not run at once. */
static inline bool_t FORCE_INLINE
findFaultReceiver(cptr_t cptr, fault_receiver_t *receiver)
{
    tcb_t *thread = NODE_STATE(ksCurThread);
    cap_t cap = lookup_fp(TCB_PTR_CTE_PTR(thread, tcbCTable)->cap, cptr);

    if (unlikely(!cap_capType_equals(cap, cap_endpoint_cap) ||
                 !cap_endpoint_cap_get_capCanSend(cap) ||
                 !cap_endpoint_cap_get_capCanGrant(cap))) {
        return false;
    }
    receiver->endpoint = EP_PTR(cap_endpoint_cap_get_capEPPtr(cap));
    receiver->badge = cap_endpoint_cap_get_capEPBadge(cap);
    if (unlikely(endpoint_ptr_get_state(receiver->endpoint) != EPState_Recv)) {
        return false;
    }
    receiver->thread = TCB_PTR(endpoint_ptr_get_epQueue_head(receiver->endpoint));
    receiver->vtable = TCB_PTR_CTE_PTR(receiver->thread, tcbVTable)->cap;
    return likely(isValidVTableRoot_fp(receiver->vtable) &&
                  !mustSchedule(receiver->thread) &&
                  (receiver->thread->tcbDomain == ksCurDomain || !maxDom));
}

/* Blocks the current thread, whose fault is saved, and goes on in the receiver, whose message
 * words are written. */
static inline void FORCE_INLINE NORETURN
enterFaultReceiver(fault_receiver_t *receiver, word_t label, word_t length)
{
    tcb_t *thread = NODE_STATE(ksCurThread);
    tcb_t *dest = receiver->thread;
    cte_t *replySlot = TCB_PTR_CTE_PTR(thread, tcbReply);
    cte_t *callerSlot = TCB_PTR_CTE_PTR(dest, tcbCaller);
    pde_t asid;

    /* Dequeue the receiver. */
    endpoint_ptr_set_epQueue_head_np(receiver->endpoint, TCB_REF(dest->tcbEPNext));
    if (unlikely(dest->tcbEPNext)) {
        dest->tcbEPNext->tcbEPPrev = NULL;
    } else {
        endpoint_ptr_mset_epQueue_tail_state(receiver->endpoint, 0, EPState_Idle);
    }

    /* Block the faulter, and give the receiver its reply capability. */
    thread_state_ptr_set_tsType_np(&thread->tcbState, ThreadState_BlockedOnReply);
    cap_reply_cap_ptr_new_np(&callerSlot->cap, 0, TCB_REF(thread));
    mdb_node_ptr_set_mdbPrev_np(&callerSlot->cteMDBNode, CTE_REF(replySlot));
    mdb_node_ptr_mset_mdbNext_mdbRevocable_mdbFirstBadged(
        &replySlot->cteMDBNode, CTE_REF(callerSlot), 1, 1);

    countTime(systemBucket(ksBucket));
    thread_state_ptr_set_tsType_np(&dest->tcbState, ThreadState_Running);
    asid.words[0] = cap_page_global_directory_cap_get_capPGDMappedASID(receiver->vtable);
    switchToThread_fp(dest, cap_vtable_cap_get_vspace_root_fp(receiver->vtable), asid);
    fastpath_restore(receiver->badge,
                     wordFromMessageInfo(seL4_MessageInfo_new(label, 0, 0, length)), dest);
}

/* Is this the answer to a fault which the fast path can give? To a page fault any is, to a system
 * call that of one word. */
static inline bool_t
isFastFaultReply(word_t fault_type, seL4_MessageInfo_t info)
{
    return fault_type == seL4_Fault_VMFault ||
           (fault_type == seL4_Fault_UnknownSyscall &&
            seL4_MessageInfo_get_label(info) == 0 && seL4_MessageInfo_get_length(info) == 1);
}

/* Gives the answer of the current thread, and lets the faulter go on where its fault says. */
static inline void
doFastFaultReply(word_t fault_type, tcb_t *faulter)
{
    if (fault_type == seL4_Fault_UnknownSyscall) {
        setRegister(faulter, X0, getRegister(NODE_STATE(ksCurThread), msgRegisters[0]));
    }
    countTime(&faulter->tcbUsage->user);
    faulter->tcbFault = seL4_Fault_NullFault_new();
    setRegister(faulter, ELR_EL1, getRegister(faulter, FaultInstruction));
}

/* Delivers a page fault of the current thread; returns if the slow path has to. */
static inline void FORCE_INLINE
fastVMFault(vm_fault_type_t type)
{
    tcb_t *thread = NODE_STATE(ksCurThread);
    bool_t instruction = type == ARMPrefetchAbort;
    fault_receiver_t receiver;
    word_t ip, address, syndrome;

    if (unlikely(!findFaultReceiver(thread->tcbFaultHandler, &receiver))) {
        return;
    }
    ip = getRegister(thread, FaultInstruction);
    address = instruction ? ip : getFAR();
    syndrome = getESR();
    thread->tcbFault = seL4_Fault_VMFault_new(address, syndrome, instruction);
    setRegister(receiver.thread, msgRegisters[seL4_VMFault_IP], ip);
    setRegister(receiver.thread, msgRegisters[seL4_VMFault_Addr], address);
    setRegister(receiver.thread, msgRegisters[seL4_VMFault_PrefetchFault], instruction);
    setRegister(receiver.thread, msgRegisters[seL4_VMFault_FSR], syndrome);
    enterFaultReceiver(&receiver, seL4_Fault_VMFault, seL4_VMFault_Length);
}

#endif /* __FASTPATH_FAULTS_H */
