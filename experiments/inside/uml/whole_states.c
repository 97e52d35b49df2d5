/* Loaded into User-Mode Linux before the C library: has it restore a whole register state.
 *
 * That kernel reads and writes its programs' extended registers (XSAVE) by ptrace, in a buffer as
 * large as its header files knew a state to be. A state is larger where the processor has tiles
 * (AMX: 11,008 bytes instead of 2,696), and while Linux fills what is asked for of a state, it takes
 * none that is not whole (EFAULT; arch/x86/kernel/fpu/regset.c: xstateregs_set). So no program would
 * ever start. Here what is beyond the buffer is taken from the state that is there: the tiles, which
 * no program can have written, since who would use them has to ask for them (arch_prctl).
 *
 * The buffer is shared: that kernel runs on one thread, and nothing preempts it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef long trace(int request, pid_t program, void *address, void *data);

static trace *libc_ptrace;
static char whole[1 << 16];

__attribute__((constructor)) static void find(void) {
    libc_ptrace = (trace *)dlsym(RTLD_NEXT, "ptrace");
}

static long complete(pid_t program, struct iovec part) {
    void *const state = (void *)(long)NT_X86_XSTATE;
    struct iovec all = {whole, sizeof whole};
    if (libc_ptrace(PTRACE_GETREGSET, program, state, &all) != 0) return -1;
    if (part.iov_len >= all.iov_len) {
        errno = EFAULT;
        return -1;
    }
    memcpy(whole, part.iov_base, part.iov_len);
    return libc_ptrace(PTRACE_SETREGSET, program, state, &all);
}

long ptrace(enum __ptrace_request request, ...) {
    va_list words;
    va_start(words, request);
    const pid_t program = va_arg(words, pid_t);
    void *const address = va_arg(words, void *);
    void *const data = va_arg(words, void *);
    va_end(words);
    const long found = libc_ptrace((int)request, program, address, data);
    const int is_state = request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE;
    return found == -1 && is_state && errno == EFAULT ? complete(program, *(struct iovec *)data) : found;
}
