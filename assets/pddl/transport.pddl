; Vehicles that hold a few packages each deliver them along roads.
(define (domain transport)
  (:requirements :strips :typing)
  (:types location locatable capacity-number - object vehicle package - locatable)
  (:predicates
    (road ?from ?to - location)
    (at ?x - locatable ?l - location)
    (in ?p - package ?v - vehicle)
    (capacity ?v - vehicle ?s - capacity-number)
    (capacity-predecessor ?less ?more - capacity-number))

  (:action drive
    :parameters (?v - vehicle ?from ?to - location)
    :precondition (and (at ?v ?from) (road ?from ?to))
    :effect (and (at ?v ?to) (not (at ?v ?from))))

  (:action pick-up
    :parameters (?v - vehicle ?l - location ?p - package ?less ?more - capacity-number)
    :precondition (and (at ?v ?l) (at ?p ?l) (capacity ?v ?more)
                       (capacity-predecessor ?less ?more))
    :effect (and (in ?p ?v) (capacity ?v ?less) (not (at ?p ?l)) (not (capacity ?v ?more))))

  (:action drop
    :parameters (?v - vehicle ?l - location ?p - package ?less ?more - capacity-number)
    :precondition (and (at ?v ?l) (in ?p ?v) (capacity ?v ?less)
                       (capacity-predecessor ?less ?more))
    :effect (and (at ?p ?l) (capacity ?v ?more) (not (in ?p ?v)) (not (capacity ?v ?less)))))
