#!/usr/bin/perl
# A virtio-balloon driver with chunk transfer, behind the protocol over standard streams.
#
# Written from the requirements; the comments name those that a piece of code keeps. Which pages the guest
# gives up, wants back and does not use, it is told.
use v5.32;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP ();
use Lines qw(serve refuse number bits bytes pages text hex_bits run_list);

use constant { INFLATE => 0, DEFLATE => 1, STATISTICS => 2, HOST_REQUEST => 3 };
use constant { REQUEST_BYTES => 16, GET_UNUSED_PAGES => 0, CONT => 0, DONE => 1 };
use constant { RING_BUFFERS => 16, MESSAGE_CHUNKS => 2048, ARRAY_ENTRIES => 256 };

my (%bit, $accepted, $running, $memory_pages, @holes);
my (%in_flight, @count, $names);
my %state;                        # page => inflating, balloon or deflating; a page without is free
my (%give_up, %want_back, @unused);
my ($target, $actual, $exchange);

sub has { my $number = $bit{ $_[0] }; return defined $number && $accepted >> $number & 1 }

# Every buffer is a string of its own, which nobody changes while it is in flight (BUF-01, CONC-01). The
# device is notified only once DRIVER_OK is set (QUEUE-09).
sub make_available {
    my ($events, $queue, %buffer) = @_;
    my $name  = 'b' . ++$names;
    my %event = (
        event    => 'available',
        queue    => $queue,
        buffer   => $name,
        readable => unpack('H*', $buffer{readable} // ''),
        writable => $buffer{writable} // 0
    );
    $event{notify} = $running ? JSON::PP::true : JSON::PP::false;
    push @$events, \%event;
    $in_flight{"$queue $name"} = \%buffer;
    $count[$queue]++;
    return;
}

# A header is zero where it has no meaning (HDR-04), and so are the reserved bits (CHUNK-03).
sub message {
    my ($cmd, $flag, $id, @runs) = @_;
    my $data = join '', map { pack 'Q< Q<', $_->[0] << 12, $_->[1] << 12 } @runs;
    return pack('C C v V', $cmd, $flag, $id, length $data) . $data;
}

# Name up to $most of the pages that are wished for in one buffer; whether there were any.
sub send_pages {
    my ($events, $queue, $wished, $from, $to, $most) = @_;
    return 0 if $most <= 0 || $count[$queue] == RING_BUFFERS;
    my @pages = grep { ($state{$_} // 'free') eq $from } sort { $a <=> $b } keys %$wished;
    splice @pages, $most if @pages > $most;
    my $readable;
    if (has('CHUNK_TRANSFER')) {
        my @runs = run_list(@pages);
        splice @runs, MESSAGE_CHUNKS if @runs > MESSAGE_CHUNKS;
        @pages = map { $_->[0] .. $_->[0] + $_->[1] - 1 } @runs;
        $readable = message(0, 0, 0, @runs);
    }
    else {
        splice @pages, ARRAY_ENTRIES if @pages > ARRAY_ENTRIES;
        $readable = pack 'V*', @pages;
    }
    return 0 if !@pages;    # INF-02, DEF-02, PFN-02
    delete @{$wished}{@pages};
    @state{@pages} = ($to) x @pages;
    make_available($events, $queue, readable => $readable, pages => \@pages);
    return 1;
}

sub in_state { my ($wanted) = @_; return scalar grep { $_ eq $wanted } values %state }

# Bring the balloon nearer to the target (INF-10), never below it (DEF-09). A page that is on its way is in no
# state in which the other queue would take it (DEF-03).
sub balance {
    my ($events) = @_;
    1 while send_pages($events, INFLATE, \%give_up, 'free', 'inflating',
        $target - in_state('balloon') - in_state('inflating'));
    1 while send_pages($events, DEFLATE, \%want_back, 'balloon', 'deflating', in_state('balloon') - $target);
    return;
}

# What is in the balloon (CFG-05), in one store of four bytes (CFG-03), when it changed (CFG-04).
sub write_actual {
    my ($events) = @_;
    my $now = in_state('balloon') + in_state('deflating');
    return if $now == $actual;
    $actual = $now;
    push @$events, { event => 'configuration-written', offset => 4, data => unpack 'H*', pack 'V', $actual };
    return;
}

sub read_target {
    my ($events, $configuration) = @_;
    my $data = substr $configuration, 0, 4;
    $target = unpack 'V', $data;
    push @$events, { event => 'configuration-read', offset => 0, data => unpack 'H*', $data };
    return;
}

# The same tags each time (STATS-05), in one buffer (STATS-02).
sub send_statistics {
    my ($events) = @_;
    my $total = $memory_pages;
    $total -= $_->[1] for @holes;
    my $free = ($total - keys %state) * 4096;
    return make_available($events, STATISTICS, readable => pack '(v Q<)*', 4, $free, 5, $total * 4096, 6, $free);
}

sub post_request_buffer {    # REQ-02
    my ($events) = @_;
    return make_available($events, HOST_REQUEST, writable => REQUEST_BYTES);
}

# Those parts of runs, which are in order, that no message about the balloon names. A guest may have a great
# many unused pages, so they are never counted one by one.
sub outside_the_balloon {
    my @taken = sort { $a <=> $b } grep { $state{$_} } keys %state;
    my @runs;
    for my $run (@_) {
        my ($first, $end) = ($run->[0], $run->[0] + $run->[1]);
        shift @taken while @taken && $taken[0] < $first;
        while (@taken && $taken[0] < $end) {
            my $pfn = shift @taken;
            push @runs, [$first, $pfn - $first] if $pfn > $first;
            $first = $pfn + 1;
        }
        push @runs, [$first, $end - $first] if $end > $first;
    }
    return @runs;
}

# Each unused page once (UNUSED-04), none of the balloon (UNUSED-02), whatever else is in flight (CONC-02,
# CONC-03). CONT always has chunks (REQ-12); DONE has those that are left, or none.
sub answer_request {
    my ($events) = @_;
    while ($exchange && !$exchange->{done} && $count[HOST_REQUEST] < RING_BUFFERS) {
        my @runs = outside_the_balloon(splice @{ $exchange->{left} });
        if (@runs > MESSAGE_CHUNKS) {
            @{ $exchange->{left} } = splice @runs, MESSAGE_CHUNKS;
        }
        else {
            $exchange->{done} = 1;
        }
        my $flag = $exchange->{done} ? DONE : CONT;
        my $readable = message(GET_UNUSED_PAGES, $flag, $exchange->{id}, @runs);
        make_available($events, HOST_REQUEST, readable => $readable, done => $exchange->{done});
    }
    return;
}

# What is no request, or an unknown one, is answered by the request buffer alone (REQ-14, REQ-15).
sub take_request {
    my ($events, $length, $written) = @_;
    my ($cmd, $param) = $length == REQUEST_BYTES && length $written == REQUEST_BYTES ? unpack 'v x6 Q<', $written : -1;
    return post_request_buffer($events) if $cmd != GET_UNUSED_PAGES;
    $exchange = { id => $param & 0xffff, left => [@unused] };    # REQ-08
    return;
}

sub forget_device {
    %in_flight = %state = %give_up = %want_back = ();
    @count = (0) x 4;
    undef $exchange;
    ($accepted, $running, $target, $actual) = (0, 0, 0, 0);
    return;
}

sub start {
    my ($command) = @_;
    refuse('refused', 'this program speaks version 2') if number($command, 'protocol', 2**32) != 2;
    $memory_pages = number($command, 'memory_pages', 2**32);
    @holes = defined $command->{memory_holes} ? pages($command, 'memory_holes') : ();
    refuse('refused', 'bits: expected an object') if ref $command->{bits} ne 'HASH';
    %bit = %{ $command->{bits} };
    forget_device();
    @unused = ();
    $names  = 0;
    return {
        protocol     => 2,
        role         => 'driver',
        name         => 'perl-example-driver',
        version      => '1',
        capabilities => [qw(synchronous raw-features reread memory-holes steer-pages)],
    };
}

# What is offered and known (NEG-05), no chunks and no requests without statistics (NEG-03, NEG-04). The first
# buffers are there before DRIVER_OK (STATS-01, REQ-01).
sub negotiate {
    my ($command, $events) = @_;
    my ($offered, $configuration) = (bits($command, 'offered'), bytes($command, 'configuration'));
    refuse('refused', 'a reset comes first') if $running;
    refuse('refused', 'configuration: expected 8 bytes') if length $configuration < 8;
    for my $feature (qw(MUST_TELL_HOST STATS_VQ DEFLATE_ON_OOM CHUNK_TRANSFER HOST_REQ_VQ VERSION_1)) {
        next if !defined $bit{$feature};
        next if $feature =~ /CHUNK_TRANSFER|HOST_REQ_VQ/ && !has('STATS_VQ');
        $accepted |= $offered & 1 << $bit{$feature};
    }
    send_statistics($events)     if has('STATS_VQ');
    post_request_buffer($events) if has('HOST_REQ_VQ');
    $running = 1;
    push @$events, { event => 'driver-ok' };
    read_target($events, $configuration);
    balance($events);
    return { accepted => hex_bits($accepted) };
}

# Buffers are known by their names (CONC-05); the used length of a readable one says nothing (BUF-06).
sub used {
    my ($command, $events) = @_;
    my $queue = number($command, 'queue', HOST_REQUEST);
    my ($length, $written) = (number($command, 'length', 2**32), bytes($command, 'written'));
    my $buffer = delete $in_flight{ "$queue " . text($command, 'buffer') } // refuse('refused', 'buffer: not in flight');
    $count[$queue]--;
    if    ($queue == INFLATE)    { $state{$_} = 'balloon' for @{ $buffer->{pages} } }
    elsif ($queue == DEFLATE)    { delete @state{ @{ $buffer->{pages} } } }
    elsif ($queue == STATISTICS) { send_statistics($events) }                              # STATS-03
    elsif ($buffer->{writable})  { take_request($events, $length, $written) }
    elsif ($buffer->{done})      { undef $exchange; post_request_buffer($events) }         # REQ-13, REQ-17
    write_actual($events);
    balance($events);
    answer_request($events);
    return {};
}

sub configuration_change {
    my ($command, $events) = @_;
    my $configuration = bytes($command, 'data');
    refuse('refused', 'data: expected 8 bytes, after negotiate') if length $configuration < 8 || !$running;
    read_target($events, $configuration);
    balance($events);
    return {};
}

sub meets_a_hole {
    my ($first, $count) = @_;
    return grep { $first < $_->[0] + $_->[1] && $_->[0] < $first + $count } @holes;
}

sub guest {
    my ($command, $events) = @_;
    my $action = text($command, 'action');
    my @runs = pages($command, 'pages');
    for my $run (@runs) {
        refuse('refused', 'pages: they are not all in memory')
            if $run->[0] + $run->[1] > $memory_pages || meets_a_hole(@{$run});
    }
    if ($action eq 'unused') {
        @unused = sort { $a->[0] <=> $b->[0] } @runs;
        return {};
    }
    my @pages = map { $_->[0] .. $_->[0] + $_->[1] - 1 } @runs;
    if    ($action eq 'inflate') { @give_up{@pages}   = (1) x @pages }
    elsif ($action eq 'deflate') { @want_back{@pages} = (1) x @pages }
    else                         { refuse('not-implemented', 'action: expected inflate, deflate or unused') }
    balance($events) if $running;
    return {};
}

sub reread {
    my ($command) = @_;
    my $key = number($command, 'queue', HOST_REQUEST) . ' ' . text($command, 'buffer');
    my $buffer = $in_flight{$key} // refuse('refused', 'buffer: not in flight');
    return { readable => unpack 'H*', $buffer->{readable} // '' };
}

sub not_implemented { refuse('not-implemented', 'there is no guest with memory around this driver') }

serve(
    'driver',
    'start'                => \&start,
    'reset'                => sub { forget_device(); return {} },
    'negotiate'            => \&negotiate,
    'used'                 => \&used,
    'configuration-change' => \&configuration_change,
    'guest'                => \&guest,
    'guest-command'        => \&not_implemented,
    'memory-read'          => \&not_implemented,
    'memory-write'         => \&not_implemented,
    'reread'               => \&reread,
    'observe'              => sub { number($_[0], 'milliseconds', 2**32); return {} },
    'stop'                 => sub { return {} },
);
